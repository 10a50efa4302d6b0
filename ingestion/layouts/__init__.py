"""What AWS's keys, manifests and columns say: pure text work."""
