// Selects a cell's four rows of W bits from the accumulators (four gates, two sets) of the P PEs that one unit drains.
module drain #(parameter P=64, W=24, LP=6)(input clk, input [LP-1:0] pe, input set, input [P*4*W-1:0] a, b, output reg [4*W-1:0] y);
  reg [LP-1:0] p; reg s; always @(posedge clk) begin p<=pe; s<=set; end
  wire [4*W-1:0] ya = a[p*4*W +: 4*W]; wire [4*W-1:0] yb = b[p*4*W +: 4*W];
  reg [4*W-1:0] ra, rb; reg s2;
  always @(posedge clk) begin ra<=ya; rb<=yb; s2<=s; y <= s2 ? rb : ra; end
endmodule
// The same, but the index covers all 2 P PEs, and its lowest bit is the number of the unit, a constant, as in csrc's
// turn * units + u. It shows whether a tool removes the other unit's PEs.
module half #(parameter P=32, W=24, LP=5)(input clk, input [LP-1:0] turn, input set, input [2*P*4*W-1:0] a, b, output [4*W-1:0] y);
  drain #(.P(2*P), .W(W), .LP(LP+1)) of_all(.clk(clk), .pe({turn, 1'b0}), .set(set), .a(a), .b(b), .y(y));
endmodule
