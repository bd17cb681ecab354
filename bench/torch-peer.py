"""PyTorch's side of torch-peer.mjs.

    torch-peer.py export MODEL.onnx
        Writes torchvision's mobilenet_v2, with the weights of seed 0, as ONNX.
    torch-peer.py serve THREADS BATCH INPUT.npy MASKS.npy
        First prints a JSON object with the version of PyTorch and the logits of class 0. Then,
        for every line on stdin, scores all masked pictures and prints one JSON object with the
        seconds. It works as the code of RISE's authors: ready masks times the picture, one
        batch at a time.
"""

import json
import resource
import sys
import time

import numpy
import torch
import torchvision


def network():
    torch.manual_seed(0)
    return torchvision.models.mobilenet_v2(weights=None).eval()


def export(path):
    torch.onnx.export(
        network(),
        torch.zeros(1, 3, 224, 224),
        path,
        opset_version=13,
        input_names=["input"],
        output_names=["logits"],
        dynamic_axes={"input": {0: "n"}, "logits": {0: "n"}},
    )


def seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), usage.ru_utime + usage.ru_stime


def serve(threads, batch, input_path, masks_path):
    torch.set_num_threads(threads)
    model = network()
    picture = torch.from_numpy(numpy.load(input_path))
    masks = torch.from_numpy(numpy.load(masks_path))[:, None]

    def score():
        with torch.inference_mode():
            parts = [model(masks[i : i + batch] * picture) for i in range(0, len(masks), batch)]
            return torch.cat(parts)[:, 0]

    print(json.dumps({"torch": torch.__version__, "logits": score().tolist()}), flush=True)
    for _ in sys.stdin:
        wall, cpu = seconds()
        score()
        wall_after, cpu_after = seconds()
        print(json.dumps({"wall": wall_after - wall, "cpu": cpu_after - cpu}), flush=True)


if sys.argv[1] == "export":
    export(sys.argv[2])
else:
    serve(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5])
