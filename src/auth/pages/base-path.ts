/**
 * What the public URL has before every path: `/mortar` where a proxy serves us below it and takes it off again. Routes
 * are without it; links, forms and redirects of pages begin with it.
 */
import type { Express, Response } from 'express';

const SETTING = 'base path';

/** `/mortar` of `https://host/mortar`; nothing of `https://host`. */
export const basePathOf = (url: string): string => new URL(url).pathname.replace(/\/$/, '');

/** For every page of the app. */
export const setBasePath = (app: Express, url: string): void => void app.set(SETTING, basePathOf(url));

export const readBasePath = ({ app }: Response): string => (app.get(SETTING) as string | undefined) ?? ''; // set above
