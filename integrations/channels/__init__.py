"""The channels by which people and machines hear of a lead."""
