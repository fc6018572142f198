"""How the acoustic model was trained. Nothing of this runs in `make`: the trained network is committed."""
