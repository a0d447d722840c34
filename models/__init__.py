"""What a network is: transformer networks, VGG features, losses, pictures, checkpoints."""
