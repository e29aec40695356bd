"""What a layer sees in many photographs: activations, and the places that wake each channel most."""
