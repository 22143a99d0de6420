// Logs in at Spotify from a browser that it cannot redirect to: the user pastes the address.
"use strict";

async function begin() {
  const port = location.port ? `:${location.port}` : "";
  const redirect_uri = `http://127.0.0.1${port}/auth/spotify/callback`;
  const { url } = await post("/api/spotify/login", { redirect_uri });
  part("link").href = url;
  part("form").hidden = false;
  say("");
}

async function finish() {
  await post("/api/spotify/finish", { address: part("address").value.trim() });
  part("form").hidden = true;
  say("Logged in.");
}

part("form").addEventListener("submit", (event) => {
  event.preventDefault();
  finish().catch((error) => say(error.message));
});
begin().catch((error) => say(error.message));
