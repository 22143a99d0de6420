// Logs in at Spotify from a browser that it cannot redirect to: the user pastes the address.
"use strict";

const part = (id) => document.getElementById(id);

function say(text) {
  part("message").textContent = text;
}

async function post(path, body) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error([answer.detail, answer.hint].filter(Boolean).join("; "));
  return answer;
}

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
