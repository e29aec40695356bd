"""What ComfyUI loads where this folder lies in its `custom_nodes`."""

if __package__:  # pytest, which finds this file above the tests, imports it as no package
    from .dreamkit_comfyui import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

    __all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
