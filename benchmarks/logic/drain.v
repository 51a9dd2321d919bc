// From the accumulators of P PEs, four gates and two sets, to one element-wise unit: a cell's four rows of W bits.
module drain #(parameter P=64, W=24, LP=6)(input clk, input [LP-1:0] pe, input set, input [P*4*W-1:0] a, b, output reg [4*W-1:0] y);
  reg [LP-1:0] p; reg s; always @(posedge clk) begin p<=pe; s<=set; end
  wire [4*W-1:0] ya = a[p*4*W +: 4*W]; wire [4*W-1:0] yb = b[p*4*W +: 4*W];
  reg [4*W-1:0] ra, rb; reg s2;
  always @(posedge clk) begin ra<=ya; rb<=yb; s2<=s; y <= s2 ? rb : ra; end
endmodule
