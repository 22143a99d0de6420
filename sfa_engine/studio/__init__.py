"""What is made at leisure: demonstration grooves, later arrangement and export. Never on stage."""
