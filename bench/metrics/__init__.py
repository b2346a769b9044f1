"""Metrics by name; each is imported only when it is asked for."""

METRICS: dict[str, str] = {
    "psnr": ".psnr:FramePsnr",
    "psnr-cap100": ".psnr:CappedPsnr",
    "psnr-clip": ".psnr:ClipPsnr",
    "psnr-pooled": ".psnr:PooledPsnr",
    "ssim": ".ssim:GaussianSsim",
    "ssim-gauss11": ".ssim:UnpooledGaussianSsim",
    "ssim-skimage": ".ssim:UniformSsim",
    "lpips-vgg": ".lpips:LpipsVgg",
    "lpips-alex": ".lpips:LpipsAlex",
    "lpips-alex-spatial": ".lpips:LpipsAlexSpatial",
    "fvd-i3d": ".fvd:FvdSquash",
    "fvd-i3d-crop": ".fvd:FvdCrop",
    "flicker": ".flicker:Flicker",
    "bpp": ".bits:BitsPerPixel",
    "bpp-kl": ".bits:KlBitsPerPixel",
    "codebook-utilization": ".codebook:CodebookUtilization",
    "codebook-perplexity": ".codebook:CodebookPerplexity",
    "params": ".model_size:Parameters",
    "macs": ".model_size:MultiplyAdds",
    "flops": ".model_size:FloatingPointOperations",
    "throughput-encode": ".throughput:EncodeThroughput",
    "throughput-decode": ".throughput:DecodeThroughput",
    "latency": ".throughput:Latency",
    "peak-memory": ".throughput:PeakMemory",
}
"""Name → module below this package, and class."""
