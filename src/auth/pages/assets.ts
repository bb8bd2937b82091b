/** Style, script and picture of the pages: files beside this one, served under names that change with their content. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Request, Response } from 'express';

const TYPES = {
  'mortar.css': 'text/css; charset=utf-8',
  'mortar.svg': 'image/svg+xml',
  'security-key.js': 'text/javascript; charset=utf-8',
} as const;

type AssetName = keyof typeof TYPES;

interface Asset {
  readonly path: string;
  readonly type: string;
  readonly bytes: Buffer;
}

let assets: ReadonlyMap<string, Asset> | undefined;

/** Where a page finds the file: `/assets/mortar-1f0e….css`. */
export function assetPath(name: AssetName): string {
  const asset = read().get(name);
  if (!asset) throw new Error(`no asset ${name}`); // the names are those of TYPES
  return asset.path;
}

/** Answers `GET /assets/:file`; the name says the content, so that it may be kept for ever. */
export function serveAsset(req: Request, res: Response, next: () => void): void {
  const asset = [...read().values()].find(({ path }) => path === req.path);
  if (!asset) {
    next();
    return;
  }
  res.set({
    'Content-Type': asset.type,
    'Cache-Control': 'public, max-age=31536000, immutable',
    'Cross-Origin-Resource-Policy': 'same-origin',
  });
  res.send(asset.bytes);
}

function read(): ReadonlyMap<string, Asset> {
  assets ??= new Map(Object.entries(TYPES).map(([name, type]) => [name, readAsset(name, type)]));
  return assets;
}

function readAsset(name: string, type: string): Asset {
  const bytes = readFileSync(join(import.meta.dirname, 'assets', name));
  const digest = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  const dot = name.lastIndexOf('.');
  return { path: `/assets/${name.slice(0, dot)}-${digest}${name.slice(dot)}`, type, bytes };
}
