"""What a lecture on GANs shows, measured: small experiments beside their closed forms."""
