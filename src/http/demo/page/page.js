// Asks the server whether it lives, here and in a worker, and shows what each is told.

const show = (id, text) => {
  document.getElementById(id).textContent = text;
};

const worker = new Worker("/demo/worker.js", { type: "module" });
worker.addEventListener("message", ({ data }) => show("worker", data));
worker.addEventListener("error", () => show("worker", "There is no worker."));

const answer = await fetch("/healthz");
show("page", await answer.text());
