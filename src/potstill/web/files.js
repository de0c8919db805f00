// Reading files by URL: over HTTP, and on Node from the disk too.

export const isNode = typeof process !== "undefined" && Boolean(process.versions?.node);

export class PotstillError extends Error {
  name = "PotstillError";
}

// A module of Node's own, which no bundler looks for.
export const nodeModule = (name) => import(/* webpackIgnore: true */ /* @vite-ignore */ `node:${name}`);

// The absolute URL of a URL, or on Node of a path.
export async function toUrl(given) {
  if (/^[a-z][a-z0-9+.-]+:/i.test(given)) return new URL(given); // two letters or more: one is a drive of Windows
  if (isNode) return (await nodeModule("url")).pathToFileURL(String(given));
  return new URL(given, globalThis.document?.baseURI ?? globalThis.location.href);
}

// The same of a folder; it ends with a slash.
export async function folderUrl(folder) {
  if (!folder) throw new PotstillError("no folder was named: give the URL of a student's folder");
  const url = await toUrl(folder);
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

// The bytes of a file; null where there is none.
export async function readIfThere(url) {
  if (url.protocol === "file:" && isNode) {
    const { readFile } = await nodeModule("fs/promises");
    try {
      return await readFile(url);
    } catch (error) {
      if (error.code === "ENOENT" || error.code === "ENOTDIR") return null;
      throw new PotstillError(`${url.href}: cannot be read (${error.code})`);
    }
  }
  let response;
  try {
    response = await fetch(url);
  } catch (error) {
    throw new PotstillError(`${url.href}: cannot be fetched (${error.message})`);
  }
  if (response.status === 404 || response.status === 410) return null;
  if (!response.ok) throw new PotstillError(`${url.href}: cannot be fetched (status ${response.status})`);
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw new PotstillError(`${url.href}: cannot be fetched (${error.message})`);
  }
}

// The bytes of a file that must be there. `howToGet` ends the error.
export async function read(url, howToGet) {
  const bytes = await readIfThere(url);
  if (bytes === null) throw new PotstillError(`${url.href}: not found; ${howToGet}`);
  return bytes;
}

// The object that a JSON file holds; null where it holds none.
export function asObject(bytes) {
  try {
    const value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return value !== null && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
