# SPDX-License-Identifier: Apache-2.0
"""Small reports in the formats of the vendor's tools, made up for the tests."""

from __future__ import annotations

CSYNTH = """<?xml version="1.0" encoding="UTF-8"?>
<profile>
<ReportVersion><Version>2022.2</Version></ReportVersion>
<UserAssignments>
<unit>ns</unit><ProductFamily>zynq</ProductFamily><Part>xc7z020-clg400-1</Part>
<TopModelName>ese_top</TopModelName><TargetClockPeriod>10.00</TargetClockPeriod>
<ClockUncertainty>2.70</ClockUncertainty>
</UserAssignments>
<PerformanceEstimates>
<SummaryOfTimingAnalysis><unit>ns</unit><EstimatedClockPeriod>7.250</EstimatedClockPeriod></SummaryOfTimingAnalysis>
<SummaryOfOverallLatency><unit>clock cycles</unit>
<Best-caseLatency>undef</Best-caseLatency><Average-caseLatency>undef</Average-caseLatency>
<Worst-caseLatency>undef</Worst-caseLatency><Interval-min>undef</Interval-min><Interval-max>undef</Interval-max>
</SummaryOfOverallLatency>
</PerformanceEstimates>
<AreaEstimates>
<Resources><BRAM_18K>41</BRAM_18K><DSP>17</DSP><FF>8123</FF><LUT>15234</LUT><URAM>0</URAM></Resources>
<AvailableResources><BRAM_18K>280</BRAM_18K><DSP>220</DSP><FF>106400</FF><LUT>53200</LUT><URAM>0</URAM>
</AvailableResources>
</AreaEstimates>
</profile>
"""

COSIM = """
================================================================
== Vitis HLS Report for 'ese_top'
================================================================
* Version:        2022.2 (Build 1 on a day)
Simulation tool: xsim
+----------+----------+-----------------+-----------------+----------------------+
|          |          |  Latency(Clock) | Interval(Clock) | Total Execution Time |
+   RTL    +  Status  +-----+-----+-----+-----+-----+-----+    (Clock Cycles)    +
|          |          | min | avg | max | min | avg | max |                      |
+----------+----------+-----+-----+-----+-----+-----+-----+----------------------+
|      VHDL|        NA|   NA|   NA|   NA|   NA|   NA|   NA|                    NA|
|   Verilog|      Pass| 2031| 2500| 2969| 2040| 2040| 2040|                  5009|
+----------+----------+-----+-----+-----+-----+-----+-----+----------------------+
"""

UTILIZATION = """
| Tool Version : Vivado v.2022.2 (lin64) Build 1
| Design       : design_wrapper
| Device       : xc7z020clg400-1
| Design State : Fully Placed

Utilization Design Information

1. Slice Logic
--------------

+----------------------------+-------+-------+------------+-----------+-------+
|          Site Type         |  Used | Fixed | Prohibited | Available | Util% |
+----------------------------+-------+-------+------------+-----------+-------+
| Slice LUTs                 | 14987 |     0 |          0 |     53200 | 28.17 |
|   LUT as Logic             | 11987 |     0 |          0 |     53200 | 22.53 |
|   LUT as Memory            |  3000 |     0 |          0 |     17400 | 17.24 |
|     LUT as Distributed RAM |  3000 |     0 |            |           |       |
| Slice Registers            |  8001 |     0 |          0 |    106400 |  7.52 |
+----------------------------+-------+-------+------------+-----------+-------+
* Warning! The Final LUT count, after physical optimizations and full implementation, is typically lower.

3. Memory
---------

+-------------------+------+-------+------------+-----------+-------+
|     Site Type     | Used | Fixed | Prohibited | Available | Util% |
+-------------------+------+-------+------------+-----------+-------+
| Block RAM Tile    | 20.5 |     0 |          0 |       140 | 14.64 |
|   RAMB36/FIFO*    |   20 |     0 |          0 |       140 | 14.29 |
|   RAMB18          |    1 |     0 |          0 |       280 |  0.36 |
+-------------------+------+-------+------------+-----------+-------+

4. DSP
------

+-----------+------+-------+------------+-----------+-------+
| Site Type | Used | Fixed | Prohibited | Available | Util% |
+-----------+------+-------+------------+-----------+-------+
| DSPs      |   17 |     0 |          0 |       220 |  7.73 |
+-----------+------+-------+------------+-----------+-------+
"""

SYNTHESIZED = UTILIZATION.replace("3. Memory", "2. Memory").replace("4. DSP", "3. DSP")
"""Before placement a report has no section about the distribution of slices, so the later ones have lower numbers."""

ULTRASCALE = """
1. CLB Logic
+---------------+-------+-------+-----------+-------+
|   Site Type   |  Used | Fixed | Available | Util% |
+---------------+-------+-------+-----------+-------+
| CLB LUTs*     | 31000 |     0 |    230400 | 13.45 |
| CLB Registers | 20000 |     0 |    460800 |  4.34 |
+---------------+-------+-------+-----------+-------+
3. BLOCKRAM
+----------------+------+-------+-----------+-------+
|    Site Type   | Used | Fixed | Available | Util% |
+----------------+------+-------+-----------+-------+
| Block RAM Tile |   40 |     0 |       312 | 12.82 |
| URAM           |    2 |     0 |        96 |  2.08 |
+----------------+------+-------+-----------+-------+
4. ARITHMETIC
+-----------+------+-------+-----------+-------+
| Site Type | Used | Fixed | Available | Util% |
+-----------+------+-------+-----------+-------+
| DSPs      |   33 |     0 |      1728 |  1.91 |
+-----------+------+-------+-----------+-------+
"""

TIMING = """
------------------------------------------------------------------------------------------------
| Design Timing Summary
| ---------------------
------------------------------------------------------------------------------------------------

    WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints      WHS(ns)      THS(ns)  \
THS Failing Endpoints  THS Total Endpoints     WPWS(ns)     TPWS(ns)  TPWS Failing Endpoints  TPWS Total Endpoints
    -------      -------  ---------------------  -------------------      -------      -------  \
---------------------  -------------------     --------     --------  ----------------------  --------------------
      1.234        0.000                      0                20111        0.031        0.000  \
                    0                20111        3.750        0.000                       0                  8002


All user specified timing constraints are met.
"""
MISSED = TIMING.replace("1.234        0.000                      0", "0.500       -0.020                      2")
