"""PyTorch's side of autodiff.mjs.

    autodiff-peer.py export NETWORK MODEL.onnx
        Writes a network of torchvision, with the weights of seed 0, as ONNX.
    autodiff-peer.py serve NETWORK THREADS BATCH
        For every line on stdin, runs one forward and backward pass to the input and prints one
        JSON object: the seconds that it took, as wall time and CPU time.
"""

import json
import resource
import sys
import time
import warnings

import torch
import torchvision

warnings.filterwarnings("ignore")


def network(name):
    torch.manual_seed(0)
    net = getattr(torchvision.models, name)(weights=None).eval()
    for key, parameter in net.named_parameters():
        if "weight" in key and parameter.abs().max() == 0:
            torch.nn.init.normal_(parameter, std=0.05)
    return net


def export(name, path):
    torch.onnx.export(
        network(name),
        torch.zeros(2, 3, 224, 224),
        path,
        opset_version=14,
        input_names=["input"],
        output_names=["logits"],
        dynamic_axes={"input": {0: "n"}, "logits": {0: "n"}},
    )


def seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), usage.ru_utime + usage.ru_stime


def serve(name, threads, batch):
    torch.set_num_threads(threads)
    model = network(name).requires_grad_(False)
    picture = torch.rand(batch, 3, 224, 224)
    print(json.dumps({"torch": torch.__version__}), flush=True)
    for _ in sys.stdin:
        wall, cpu = seconds()
        x = picture.clone().requires_grad_()
        model(x)[:, 0].sum().backward()
        wall_after, cpu_after = seconds()
        print(json.dumps({"wall": wall_after - wall, "cpu": cpu_after - cpu}), flush=True)


if sys.argv[1] == "export":
    export(sys.argv[2], sys.argv[3])
else:
    serve(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
