// What is not there, or may not be read, is null, or empty.
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';

export function namesIn(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

export function linkTarget(path) {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}

export function realPath(path) {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}

export function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

export function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}
