"""The stores: each implements `daylily_state.ports.Store`."""
