"""dreamkit as nodes of ComfyUI.

The nodes run the command `dreamkit` as a process of its own: ComfyUI's Python holds PyTorch, in inference
mode, and dreamkit holds TensorFlow. Pictures pass as PNG files, progress as lines of JSON.
"""

from .nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
