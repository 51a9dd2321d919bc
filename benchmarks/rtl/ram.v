// SPDX-License-Identifier: Apache-2.0
// A memory as the engine has them: one write and one read port, or two ports that read or write (vector RAMs, entries).
module simple #(parameter DEPTH=1024, BITS=18, A=10)(input clk, we, input [A-1:0] wa, ra, input [BITS-1:0] d, output reg [BITS-1:0] q);
  (* ram_style="block" *) reg [BITS-1:0] m[0:DEPTH-1];
  always @(posedge clk) begin if (we) m[wa] <= d; q <= m[ra]; end
endmodule
module spread #(parameter DEPTH=16, BITS=24, A=4)(input clk, we, input [A-1:0] wa, ra, input [BITS-1:0] d, output [BITS-1:0] q);
  (* ram_style="distributed" *) reg [BITS-1:0] m[0:DEPTH-1];
  always @(posedge clk) if (we) m[wa] <= d;
  assign q = m[ra];
endmodule
module dual #(parameter DEPTH=1024, BITS=18, A=10)(input clk, we0, we1, input [A-1:0] a0, a1, input [BITS-1:0] d0, d1, output reg [BITS-1:0] q0, q1);
  (* ram_style="block" *) reg [BITS-1:0] m[0:DEPTH-1];
  always @(posedge clk) if (we0) m[a0] <= d0; else q0 <= m[a0];
  always @(posedge clk) if (we1) m[a1] <= d1; else q1 <= m[a1];
endmodule
