/** What travels, and what is made of it. */
export {};
