// What the small pages share; loaded before their own scripts.
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
