"""Floor 1, pure: programs, waves, scheduling, clock, session, safety. No loop, no clock, no IO."""
