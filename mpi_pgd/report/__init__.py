"""What a person sees and keeps. It knows records, not the code that made them."""
