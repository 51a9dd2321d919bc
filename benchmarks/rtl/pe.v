// SPDX-License-Identifier: Apache-2.0
// One PE after csrc/engine/engine.h, pe.h and accumulators.h, with pipeline registers between the steps.
module ram_sdp #(parameter W=24, D=16, A=4)(input clk, input we, input [A-1:0] wa, input [W-1:0] wd, input [A-1:0] ra, output [W-1:0] rd);
  (* ram_style="distributed" *) reg [W-1:0] m[0:D-1];
  always @(posedge clk) if (we) m[wa] <= wd;
  assign rd = m[ra];
endmodule
// KIND: 0 ternary, 1 integer, 2 codebook; EB: bits of an entry; WB: bits of a word; FULL: full phases; SB: slot bits.
module pe #(parameter W=24, KIND=0, G=5, B=1, A=6, VA=10, EB=6, WB=18, FULL=0, SB=2)(
  input clk, input [WB-1:0] word, input [SB-1:0] slot, input full, input [VA+A:0] advance, input active, input start,
  input [3:0] stride, input [VA-1:0] base, input setsel, input source_ram, input [1:0] bpos, bneg,
  input wA, wB, input [VA-1:0] waA, waB, output reg [VA-1:0] adA, adB,
  input signed [17:0] xa, xb,
  input signed [15:0] level,
  output [EB-G-1:0] code_o,
  // drain
  input [A-1:0] drow, input clears, // the row that is drained
  output [W*B-1:0] rd);
  localparam PB = VA + A + 1;
  // unpack
  reg [EB-1:0] chosen; integer s;
  always @* begin chosen = 0; for (s=0;s<WB/EB;s=s+1) if (slot==s) chosen = word[s*EB +: EB]; end
  localparam FB = KIND==0 ? 2 : EB-G;
  reg [FB-1:0] picked; integer f;
  always @* begin picked = 0; for (f=0;f<WB/FB;f=f+1) if (slot==f) picked = word[f*FB +: FB]; end
  wire whole = FULL && full;
  reg [G-1:0] gap; reg [EB-G-1:0] code; reg act1, start1, whole1, zero1; reg [PB-1:0] advance1;
  always @(posedge clk) begin gap<=whole ? 0 : chosen[G-1:0]; code<=whole ? (KIND==0 ? picked[FB-1] : picked) : chosen[EB-1:G];
    whole1<=whole; zero1<=KIND==0 && picked==0; advance1<=FULL ? advance : 1;
    act1<=active; start1<=start; end
  wire padding = (KIND==0) && !whole1 && (&gap), empty = padding || (whole1 && zero1);
  reg [PB-1:0] next; wire [PB-1:0] pos = (start1 ? 0 : next) + gap;
  generate if (FULL) always @(posedge clk) next <= pos + (padding ? 0 : advance1);
  else always @(posedge clk) next <= pos + !padding; endgenerate
  reg [PB-1:0] pos2; reg en2; reg [EB-G-1:0] code2;
  always @(posedge clk) begin pos2<=pos; en2<=act1&!empty; code2<=code; end
  wire [PB-1:0] mask = (1<<stride)-1;
  wire [VA-1:0] ad = base + (pos2 >> stride);
  reg [15:0] row3; reg en3; reg [EB-G-1:0] code3;
  always @(posedge clk) begin row3 <= pos2 & mask; en3<=en2; code3<=code2; adA <= wA ? waA : ad; adB <= wB ? waB : ad; end
  reg [15:0] row4,row5; reg en4,en5; reg [EB-G-1:0] code4; 
  always @(posedge clk) begin row4<=row3; en4<=en3; code4<=code3; end
  assign code_o = code4;
  wire signed [17:0] x = source_ram ? xb : xa;
  reg signed [W-1:0] term; reg [1:0] bank;
  generate if (KIND==0) begin
    always @(posedge clk) begin term <= en4 ? (code4[0] ? -x : x) : 0; bank <= (en4&code4[0]) ? bneg : bpos; end
  end else if (KIND==1) begin
    wire signed [EB-G:0] lv = {code4[EB-G-1],code4};
    (* keep *) wire signed [W-1:0] prod = lv * x;
    always @(posedge clk) begin term <= en4 ? prod : 0; bank <= (en4&lv[EB-G]) ? bneg : bpos; end
  end else begin
    wire signed [W-1:0] prod = level * x;
    always @(posedge clk) begin term <= en4 ? prod : 0; bank <= (en4&level[15]) ? bneg : bpos; end
  end endgenerate
  always @(posedge clk) begin row5<=row4; en5<=en4; end
  // accumulators
  reg l0v,l1v; reg [1:0] l0b,l1b; reg [15:0] l0r,l1r; reg [W-1:0] l0x,l1x;
  wire [W-1:0] q[0:1][0:B-1];
  wire same0 = l0v && l0b==bank && l0r==row5;
  wire same1 = l1v && l1b==bank && l1r==row5;
  wire [W-1:0] r = (B==1)? (setsel ? q[1][0] : q[0][0]) : (setsel ? q[1][bank] : q[0][bank]);
  reg [W-1:0] before6, term6; reg en6,set6; reg [1:0] bank6; reg [15:0] row6; reg same0_6;
  wire [W-1:0] now = (same0_6 ? l0x : before6) + term6;
  always @(posedge clk) begin before6 <= same1 ? l0x : r; same0_6 <= same0; term6<=term; en6<=en5; set6<=setsel; bank6<=bank; row6<=row5;
    l0v<=en6; l0b<=bank6; l0r<=row6; l0x<=now; l1v<=l0v; l1b<=l0b; l1r<=l0r; l1x<=l0x; end
  reg [A-1:0] drow6; reg clears6; always @(posedge clk) begin drow6<=drow; clears6<=clears; end
  genvar t,b; generate for (b=0;b<B;b=b+1) begin
    for (t=0;t<2;t=t+1) begin
      wire fill = set6==t;
      wire we = fill ? (en6 && (B==1 || bank6==b)) : clears6;
      wire [A-1:0] wa = fill ? row6[A-1:0] : drow6;
      wire [A-1:0] ra = (setsel==t) ? row5[A-1:0] : drow;
      ram_sdp #(W,1<<A,A) m(clk, we, wa, fill ? now : {W{1'b0}}, ra, q[t][b]);
    end
    assign rd[b*W +: W] = setsel ? q[0][b] : q[1][b];
  end endgenerate
endmodule
