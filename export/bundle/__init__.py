"""The folder for an app developer. May import all of export but video and commands; commands may import it."""
