"""The hls4ml backend ESE: conversion, encoding and emission of the sparse engine."""
