"""Simulated homes behind real Modbus TCP servers, for the demo and the tests."""
