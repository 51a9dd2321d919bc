# SPDX-License-Identifier: Apache-2.0
"""The hls4ml backend ESE: conversion, encoding and emission of the sparse engine."""
