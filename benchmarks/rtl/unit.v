// SPDX-License-Identifier: Apache-2.0
// One element-wise unit after csrc/engine/elementwise.h and activation.h (activations by table), with registers between steps.
module shl48(input clk, input signed [47:0] v, input [5:0] s, output reg signed [47:0] y); always @(posedge clk) y <= v << s; endmodule
module ssum #(parameter W=24,B=1)(input clk, input [W*B-1:0] acc, input [16*B-1:0] scale, input signed [15:0] bias, input [5:0] bs, input [6*B-1:0] ks, output signed [47:0] y);
  wire signed [47:0] t0; reg signed [15:0] b1; always @(posedge clk) b1 <= bias; shl48 sb(clk, {{32{b1[15]}},b1}, bs, t0);
  wire signed [47:0] part [0:B]; assign part[0]=t0;
  genvar i; generate for (i=0;i<B;i=i+1) begin
    wire signed [W-1:0] a = acc[i*W +: W]; reg signed [W+16:0] p; always @(posedge clk) p <= a * $signed({1'b0,scale[i*16 +: 16]});
    wire signed [47:0] sh; shl48 ss(clk, p, ks[i*6 +: 6], sh);
    reg signed [47:0] q; always @(posedge clk) q <= part[i] + sh; assign part[i+1]=q; end endgenerate
  assign y = part[B];
endmodule
module act #(parameter SIG=1, FR=36, OB=16)(input clk, input signed [47:0] x, output [9:0] ta, input [31:0] seg, output reg signed [17:0] y);
  // magnitude
  reg [47:0] m; reg n1,n2,n3,n4; always @(posedge clk) begin m <= x<0 ? -x : x; n1 <= x[47]; end
  localparam SH = FR + SIG - 20;
  wire [47:0] at = m >> SH; reg [22:0] u; always @(posedge clk) begin u <= |at[47:23] ? 23'h7fffff : at[22:0]; n2<=n1; end
  assign ta = u[22:13]; reg [12:0] r; reg [18:0] v; reg [25:0] pr; reg [12:0] r0; 
  always @(posedge clk) begin r0<=u[12:0]; v <= seg[18:0]; pr <= seg[31:19]*r0; n3<=n2; n4<=n3; end
  reg [19:0] t; reg n5; always @(posedge clk) begin t <= v + (pr>>13); n5<=n4; end
  wire signed [21:0] s = n5 ? -$signed({2'b0,t}) : $signed({2'b0,t});
  wire signed [21:0] full = SIG ? (22'sd1<<19) + s : s;
  reg signed [21:0] f; always @(posedge clk) f<=full;
  localparam D = SIG ? 20-16 : 19-15;
  wire signed [21:0] fl = f >>> D; wire [D-1:0] rest = f[D-1:0]; wire up = rest > (1<<(D-1)) || (rest==(1<<(D-1)) && fl[0]);
  wire signed [21:0] q = fl + up; wire signed [21:0] hi = SIG ? 65535 : 32767, lo = SIG ? 0 : -32768;
  always @(posedge clk) y <= q<lo?lo:q>hi?hi:q;
endmodule
module qc #(parameter FR=31,OF=12)(input clk, input signed [47:0] c, output reg signed [15:0] y);
  localparam D=FR-OF; reg signed [47:0] q; wire signed [47:0] fl=c>>>D; wire [D-1:0] rest=c[D-1:0]; wire up = rest > (1<<(D-1)) || (rest==(1<<(D-1)) && fl[0]);
  always @(posedge clk) begin q <= fl+up; y <= q < -32768 ? -32768 : q > 32767 ? 32767 : q; end
endmodule
// Rounds half to even, to a format that is chosen at run time.
module vround(input clk, input signed [47:0] v, input [5:0] s, input signed [17:0] low, high, output reg signed [17:0] y);
  wire [47:0] whole = 48'd1 << s, rest = v & (whole-1), half = whole>>1; reg signed [47:0] fl, q; reg up;
  always @(posedge clk) begin fl <= v >>> s; up <= s!=0 && (rest>half || (rest==half && ((v>>>s)&1)!=0)); q <= up ? fl+1 : fl;
    y <= q<low?low:q>high?high:q; end
endmodule
module cell_unit #(parameter W=24,B=1,PAIR=0)(input clk, input [4*W*B-1:0] acc, input [4*16*B-1:0] scale, input [63:0] bias, input [1:0] column, input [5:0] bs, input [6*B-1:0] ks,
  input [47:0] peep, input signed [15:0] cb, input [5:0] ps, input usep, input dense, relu, input [5:0] sshift, input signed [17:0] low, high,
  output [49:0] ta, input [159:0] seg, output reg signed [63:0] exact, output reg signed [17:0] stored, outp, outp1, output signed [15:0] cn, input so);
  wire signed [47:0] z[0:3]; genvar g; generate for (g=0;g<4;g=g+1) begin
    wire [1:0] k = dense && g <= PAIR ? column | g : g;
    ssum #(W,B) s(clk, acc[g*W*B +: W*B], scale[k*16*B +: 16*B], bias[k*16 +: 16], bs, ks, z[g]); end endgenerate
  wire signed [47:0] pi,pf,po; reg signed [31:0] qi,qf,qo;
  always @(posedge clk) begin qi<=$signed(peep[15:0])*cb; qf<=$signed(peep[31:16])*cb; qo<=$signed(peep[47:32])*cn; end
  shl48 a(clk,usep?qi:0,ps,pi), b(clk,usep?qf:0,ps,pf), c(clk,usep?qo:0,ps,po);
  reg signed [47:0] zi,zf,zo; always @(posedge clk) begin zi<=z[0]+pi; zf<=z[1]+pf; zo<=z[3]+po; end
  wire signed [17:0] i,f,gg,o,t;
  act #(1) ai(clk,zi,ta[9:0],seg[31:0],i), af(clk,zf,ta[19:10],seg[63:32],f), ao(clk,zo,ta[29:20],seg[95:64],o);
  act #(0) ag(clk,z[2],ta[39:30],seg[127:96],gg);
  reg signed [35:0] fc, ig, h; reg signed [47:0] cc; always @(posedge clk) begin fc <= f*cb; ig <= i*gg; cc <= (fc <<< 3) + ig; h <= o*t; end
  act #(0,31) at(clk,cc,ta[49:40],seg[159:128],t);
  qc qcc(clk,cc,cn);
  // what leaves: h, or one row of another matrix, or with PAIR two of them, whose parameters are in four columns
  wire row1 = PAIR && dense; reg signed [47:0] v0, v1; reg [5:0] s0, s1; reg signed [17:0] l0, h0, l1, h1; wire signed [17:0] y0, y1;
  always @(posedge clk) begin
    v0 <= !dense ? h : relu && z[0]<0 ? 0 : z[0]; v1 <= !row1 ? h : relu && z[1]<0 ? 0 : z[1];
    s0 <= dense ? sshift : so || !PAIR ? 31-15 : 31-12; l0 <= dense ? low : -32768; h0 <= dense ? high : 32767;
    s1 <= row1 ? sshift : PAIR ? 31-15 : 31-12; l1 <= row1 ? low : -32768; h1 <= row1 ? high : 32767;
    exact <= v0; stored <= PAIR || dense || so ? y0 : y1; outp <= dense || !PAIR ? y0 : y1; outp1 <= PAIR ? y1 : 0; end
  vround r0(clk,v0,s0,l0,h0,y0), r1(clk,v1,s1,l1,h1,y1);
endmodule
