"""An independent peer of kesher: its wire protocol written a second time, on another crypto library."""
