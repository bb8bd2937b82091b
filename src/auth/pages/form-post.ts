/** The answer to an app that wants it in a form. https://openid.net/specs/oauth-v2-form-post-response-mode-1_0.html */
import { html } from './html.ts';
import { button, hiddenField, type PageOptions } from './layout.ts';

export const formPostPage = (action: string, fields: Readonly<Record<string, string>>): PageOptions => ({
  title: 'Return to the app',
  body: html`<h1>Return to the app</h1>
<p>One more step: continue to give the app its answer.</p>
<form method="post" action="${action}">
${Object.entries(fields).map(([name, value]) => hiddenField(name, value))}
${button('Continue')}
</form>`,
});
