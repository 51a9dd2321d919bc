# SPDX-License-Identifier: Apache-2.0
"""The files of hls4ml's own tests that run with backend ESE, and the reasons why the others do not."""

from __future__ import annotations

ENGINE_FILES = (
    "test_activations.py",
    "test_auto_precision.py",
    "test_batchnorm.py",
    "test_clone_flatten.py",
    "test_dense_unrolled.py",
    "test_graph.py",
    "test_keras_api.py",
    "test_keras_h5_loader.py",
    "test_keras_nested_model.py",
    "test_keras_v3_api.py",
    "test_merge.py",
    "test_multi_dense.py",
    "test_multiout_network.py",
    "test_qkeras.py",
    "test_repack_stream.py",
    "test_reshape.py",
    "test_rnn.py",
    "test_softmax.py",
    "test_softsign.py",
    "test_stream_clone.py",
    "test_time_distributed.py",
    "test_trace.py",
    "test_transpose_concat.py",
)
"""Files with tests of recurrent layers, QKeras, Dense, activations, normalization, and the layers between them."""
HOST_FILES = (
    "test_cropping.py",
    "test_embed.py",
    "test_globalpooling.py",
    "test_layernorm.py",
    "test_pooling.py",
    "test_upsampling.py",
    "test_zeropadding.py",
)
"""Files with tests of other layers that the host computes."""
IN_SCOPE = (*ENGINE_FILES, *HOST_FILES)

CONVOLUTION = "convolutions"
PYTORCH = "PyTorch models"
ONNX = "ONNX models"
HGQ = "HGQ models"
OTHER_LAYERS = "layers that the engine does not have"
INTERNALS = "hls4ml's internals: the test reads its writers, templates or passes, or converts no model by a backend"

OUT_OF_SCOPE = {
    "test_backend_config.py": "part, clock uncertainty and project.tcl of the stock backends; imports PyTorch",
    "test_batchnorm_pytorch.py": PYTORCH,
    "test_binary_cnn.py": CONVOLUTION,
    "test_boxplot.py": INTERNALS,
    "test_bram_factor.py": INTERNALS,
    "test_causalpadding.py": CONVOLUTION,
    "test_cnn_mnist_qkeras.py": CONVOLUTION,
    "test_conv1d.py": CONVOLUTION,
    "test_conv1d_narrow.py": CONVOLUTION,
    "test_conv2d_narrow.py": CONVOLUTION,
    "test_depthconv1d.py": CONVOLUTION,
    "test_depthconv2d.py": CONVOLUTION,
    "test_einsum_dense.py": OTHER_LAYERS,
    "test_extensions.py": INTERNALS,
    "test_extensions_pytorch.py": PYTORCH,
    "test_fetch_example.py": "models from the internet",
    "test_fifo_depth.py": INTERNALS,
    "test_flows.py": INTERNALS,
    "test_garnet.py": OTHER_LAYERS,
    "test_hgq2_mha.py": HGQ,
    "test_hgq_layers.py": HGQ,
    "test_hgq_players.py": HGQ,
    "test_keras_v3_profiling.py": "no parameter named backend",
    "test_layernorm_pytorch.py": PYTORCH,
    "test_merge_pytorch.py": PYTORCH,
    "test_multi_graph.py": "MultiModelGraph of the stock backends",
    "test_multiout_onnx.py": ONNX,
    "test_pipeline_style.py": INTERNALS,
    "test_plot_model.py": "models from the internet",
    "test_pointwiseconv.py": CONVOLUTION,
    "test_pytorch_api.py": PYTORCH,
    "test_pytorch_profiler.py": PYTORCH,
    "test_qeinsum.py": OTHER_LAYERS,
    "test_qinterval.py": INTERNALS,
    "test_qonnx.py": ONNX,
    "test_recurrent_pytorch.py": PYTORCH,
    "test_report.py": INTERNALS,
    "test_sepconv1d.py": CONVOLUTION,
    "test_sepconv2d.py": CONVOLUTION,
    "test_sequential_parsing_pytorch.py": PYTORCH,
    "test_serialization.py": "`save` of a graph (hls4ml.md); imports QONNX",
    "test_sr.py": INTERNALS,
    "test_types.py": INTERNALS,
    "test_upsampling_pytorch.py": PYTORCH,
    "test_weight_writer.py": INTERNALS,
    "test_writer_config.py": INTERNALS,
    "test_zeropadding_pytorch_onnx.py": PYTORCH,
}
