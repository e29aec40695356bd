"""An activation atlas: what a layer sees in many photographs, as a map of small dreams."""
