"""The relay: gateways behind NAT keep one SSH connection to it, pollers reach them through it."""
