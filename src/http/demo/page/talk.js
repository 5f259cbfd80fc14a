/** What is said in the chat. Texts alone: the server never sees one. */

/** The history, oldest first; `>` begins what the phone's own user said. */
export const HISTORY = [
  "Morning all! The ridge path is open again.",
  "> Good news. Saturday's walk is on, then.",
  "Same meeting point as last time?",
  "> Yes: the north car park, 8:30.",
  "The bus at 7:50 still runs on Saturdays.",
  "> Lovely. Two seats are still free in my car, too.",
  "How long is it in all?",
  "> 14 km and 620 m up, with the lake.",
  "Dogs?",
  "> On a lead until the second gate.",
  "Mine has walked further than I have.",
  "> Bring water, the spring is dry.",
  "Is there a shorter way for knees like mine?",
  "> The forest track is 9 km and meets us at the hut.",
  "Then I am in.",
  "> About forty of us, going by last time.",
  "Who has the key of the hut?",
  "I have it. Soup is planned, too.",
  "> You are a hero. I bring bread.",
  "I bring cake, if 2,000 of you do not all come.",
  "Which cake?",
  "Plum. Two trays.",
  "Now I have to come.",
  "Weather looks fine: 19 degrees, hardly any wind.",
  "There may be fog before ten.",
  "It lifted by nine last Saturday.",
  "Does somebody have a spare pair of poles?",
  "I have two pairs, see you at the car park.",
  "Thank you!",
  "I can take four people from the station.",
  "Two of us would be glad of that.",
  "> Last question: who takes the photographs?",
  "I charge the camera tonight.",
  "> Wonderful. One change: we meet at 8:15, please read this one!",
];

/** What the phone's user may say next. */
export const NEXT = [
  "One more thing: the gate code is on the board.",
  "Sunscreen. Trust me.",
  "The café by the lake opens at ten.",
  "Shall we make it a monthly thing?",
  "Train back leaves at 16:40, do not miss it.",
  "Photos go into the shared album, please.",
];

/** What others say. */
export const REPLIES = [
  "Count me in.",
  "Thanks, Alice!",
  "Noted.",
  "See you there.",
  "Can I bring my sister?",
  "Which gate was that again?",
  "Perfect.",
  "I may be five minutes late.",
  "Boots or shoes?",
  "Looking forward to it!",
];
