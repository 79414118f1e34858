import { Router } from 'express';

/**
 * A router for paths that are served without a key: exactly as they are written, in this case and without a slash at the end. Whoever
 * keeps one from the public does so by a rule of a proxy for the path as the documents have it, and no other spelling may pass it by.
 */
export function exactRouter(): Router {
  return Router({ caseSensitive: true, strict: true });
}
