// The server's answer. Addresses are relative: a reverse proxy may have the pages below a path of its own.
const token = at("token");

async function ask(path, body) {
  const headers = token.value ? { authorization: `Bearer ${token.value}` } : {};
  const options = body ? { method: "POST", body: JSON.stringify(body) } : {};
  let response;
  try {
    response = await fetch(path, { ...options, headers: { ...headers, "content-type": "application/json" } });
  } catch {
    throw new Error("The server does not answer.");
  }
  const answer = await response.json();
  if (response.status === 401) {
    at("token-row").hidden = false;
    token.focus();
  }
  if (!response.ok) throw new Error(answer.error);
  return answer;
}
