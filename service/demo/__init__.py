"""The demo: a catalogue of real models with invented users, groups and grants."""
