// What is asked of the server, and the token where it wants one.
import { find } from "/dom.js";

export class LoginNeeded extends Error {}

let access = null;

export async function ask(path, parameters = {}) {
  const headers = access ? { Authorization: `Bearer ${access}` } : {};
  const response = await fetch(`${path}?${new URLSearchParams(parameters)}`, { headers });
  if (response.status === 401) throw new LoginNeeded();
  if (!response.ok) throw new Error((await response.json()).title);
  return response.json();
}

export async function logIn() {
  const response = await fetch("/api/backend/v1/exchangeApiToken", {
    headers: { "X-Neptune-Api-Token": find("token").value.trim() },
  });
  if (!response.ok) return false;
  access = (await response.json()).accessToken;
  find("token").value = "";
  return true;
}
