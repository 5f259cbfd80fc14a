// Asks the server whether it lives, and tells the page.

const answer = await fetch("/healthz");
postMessage(await answer.text());
