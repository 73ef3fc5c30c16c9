"""Three browser engines behind one small interface: Chromium, Firefox and WebKit."""
