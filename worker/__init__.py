"""The workshop: where models are trained and asked. The only place with torch; imports nothing of app/."""
