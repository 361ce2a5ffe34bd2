"""Generative networks: a DCGAN, two super-resolution networks, a U-Net and a variational autoencoder (run 8 of docs/results.md).

EDGEKIT_DATA=<folder> python scripts/bench/generative.py [NAME...]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import dcgan
import digits_vae
from beside_peers import Network, chosen, converted, latencies, peer_entries, psnr_db
from cifar_keras import cifar_keras, noisy_samples
from commands import entry
from esrgan_slim import esrgan_slim, upscaling_samples
from results import Figure, Result, load_average, publish
from super_resolution import super_resolution, upscaling_planes

LEAST_PSNR_DB = 35.0


def main() -> int:
    return max(_published(network) for network in chosen(NETWORKS, sys.argv[1:]))


def _published(network: Network) -> int:
    load = load_average()
    report = converted(network)
    return publish(
        Result(
            name=f"generative_{network.name}",
            title=network.title,
            figures=[*_own(network, report), *_peers(network), *latencies(report)],
            samples=f"{report['calibration']['count']} to calibrate, {report['evaluation']['count']} others to evaluate",
            notes=(f"reference: {report['reference']}", "PSNR and SQNR are against the float network"),
            timed=True,
        ),
        load,
    )


def _own(network: Network, report: dict[str, object]) -> Iterator[Figure]:
    for file_format in ("tflite", "onnx"):
        found = entry(report, f"int8.{file_format}")
        yield _closeness(network, f"int8 {file_format}", found["agreement"], judged=True)


def _peers(network: Network) -> Iterator[Figure]:
    return (_closeness(network, name, found["agreement"], judged=False) for name, found in peer_entries(network))


def _closeness(network: Network, name: str, agreement: dict[str, float], judged: bool) -> Figure:
    """PSNR where the network makes pictures, else SQNR."""
    beside = f"SQNR {agreement['sqnr_db']:.1f} dB, largest error {agreement['largest_error']:.3g}"
    if not network.peak:
        return Figure(f"SQNR, {name}", agreement["sqnr_db"], "dB")
    limit = LEAST_PSNR_DB if judged else None
    return Figure(f"PSNR, {name}", psnr_db(network, agreement), "dB", limit, at_least=True, beside=beside)


def _generator() -> Network:
    title = "DCGAN generator, handwritten digits (PyTorch)"
    return Network("dcgan_generator", title, dcgan.generator(), dcgan.noise_samples(), peak=2.0)


def _discriminator() -> Network:
    title = "DCGAN discriminator (PyTorch)"
    return Network("dcgan_discriminator", title, dcgan.discriminator(), dcgan.picture_samples())


def _esrgan_slim() -> Network:
    title = "esrgan-slim, trained, 64 x 64 to 128 x 128 (Keras)"
    shape = ("--input-shape", "1,64,64,3")
    return Network("esrgan_slim", title, esrgan_slim(), upscaling_samples(), peak=255.0, options=shape)


def _super_resolution() -> Network:
    title = "Dense residual blocks and a pixel shuffle, 64 x 64 to 128 x 128 (PyTorch)"
    return Network("super_resolution", title, super_resolution(), upscaling_planes(), peak=1.0)


def _unet() -> Network:
    return Network("unet", "U-Net that removes noise, CIFAR-10 (Keras)", cifar_keras("unet"), noisy_samples(), peak=1.0)


def _vae(part: str, title: str, peak: float, peers: bool) -> Callable[[], Network]:
    def made() -> Network:
        return Network(part, title, digits_vae.vae(part), digits_vae.vae_samples(part), peak=peak, peers=peers)

    return made


NETWORKS: dict[str, Callable[[], Network]] = {
    "dcgan_generator": _generator,
    "dcgan_discriminator": _discriminator,
    "esrgan_slim": _esrgan_slim,
    "super_resolution": _super_resolution,
    "unet": _unet,
    "vae": _vae("vae", "Variational autoencoder with its noise as an input (PyTorch)", 1.0, peers=False),
    "vae_mean": _vae("vae_mean", "Encoder of the variational autoencoder, mean path (PyTorch)", 0.0, peers=True),
    "vae_decoder": _vae("vae_decoder", "Decoder of the variational autoencoder (PyTorch)", 1.0, peers=True),
}

if __name__ == "__main__":
    sys.exit(main())
