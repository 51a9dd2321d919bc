// SPDX-License-Identifier: Apache-2.0
// Brings a cell's four rows of W bits from the P PEs that one unit drains: a PE shows them in successive clocks, so that
// each of four multiplexers takes another PE in a clock, and the earlier rows wait for the last.
module drain #(parameter P=64, W=24, LP=6)(input clk, input [LP-1:0] pe, input [P*W-1:0] a, output [4*W-1:0] y);
  reg [LP-1:0] p[0:3]; reg [W-1:0] first[0:3], second[0:2], third[0:1], fourth; reg [P*W-1:0] shown;
  integer g;
  always @(posedge clk) begin
    shown <= a; p[0] <= pe; for (g=1;g<4;g=g+1) p[g] <= p[g-1];
    for (g=0;g<4;g=g+1) first[g] <= shown[p[g]*W +: W];
    for (g=0;g<3;g=g+1) second[g] <= first[g];
    for (g=0;g<2;g=g+1) third[g] <= second[g];
    fourth <= third[0];
  end
  assign y = {first[3], second[2], third[1], fourth};
endmodule
// The same, but the index covers all 2 P PEs, and its lowest bit is the number of the unit, a constant, as in csrc's
// turn * units + u. It shows whether a tool removes the other unit's PEs.
module half #(parameter P=32, W=24, LP=5)(input clk, input [LP-1:0] turn, input [2*P*W-1:0] a, output [4*W-1:0] y);
  drain #(.P(2*P), .W(W), .LP(LP+1)) of_all(.clk(clk), .pe({turn, 1'b0}), .a(a), .y(y));
endmodule
