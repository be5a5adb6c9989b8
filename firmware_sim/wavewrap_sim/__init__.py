"""The simulated wrap: plant, firmware and radio peripheral in a process of its own."""
