"""The tests: unit, contract, golden, integration, benchmarks, and the engine they run on."""
