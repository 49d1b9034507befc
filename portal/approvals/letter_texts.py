"""What a letter says itself, in each language that letters are written in."""

from collections.abc import Mapping

TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "application": "Application {number} of {date}",
        "declined_title": "We cannot lend you {amount}",
        "offered_title": "We can offer you {offer} instead of {amount}",
        "greeting": "Dear {name},",
        "greeting_unnamed": "Dear customer,",
        "declined": "Thank you for asking us. On {date} we looked at your application for {amount} and decided against it. "
        "These are the reasons, the most important first:",
        "offered": "Thank you for asking us. On {date} we looked at your application for {amount}. We cannot lend you that, but we offer "
        "you {offer}. These are the reasons why it is not more, the most important first:",
        "no_reasons": "A person weighed your application as a whole. Write to us or call us, and we tell you what counted.",
        "accept": "The offer stands until {date}. Tell us before that day if you want it.",
        "change": "What could change this",
        "score": "Your score",
        "score_name": "Score",
        "scale": "{score}, on a scale from {low} to {high}; higher is better",
        "made_on": "Made on",
        "factors": "What counted most",
        "rights": "Your rights",
        "rights_text": "You may ask for a person to look again and tell them your view. You may ask which data about you we used, and have "
        "wrong data corrected. It costs nothing. Write to {email}{phone}, and name the number {number}.",
        "phone": " or call {phone}",
        "complain": "If you disagree with our answer you may complain to:",
        "letter": "Letter",
        "page": "page",
    },
    "fr": {
        "application": "Demande {number} du {date}",
        "declined_title": "Nous ne pouvons pas vous prêter {amount}",
        "offered_title": "Nous pouvons vous proposer {offer} au lieu de {amount}",
        "greeting": "Bonjour {name},",
        "greeting_unnamed": "Bonjour,",
        "declined": "Merci de votre demande. Le {date}, nous avons examiné votre demande de {amount} et nous ne l'avons pas acceptée. "
        "Voici les raisons, la plus importante d'abord :",
        "offered": "Merci de votre demande. Le {date}, nous avons examiné votre demande de {amount}. Nous ne pouvons pas vous prêter cette "
        "somme, mais nous vous proposons {offer}. Voici pourquoi ce n'est pas plus, la raison la plus importante d'abord :",
        "no_reasons": "Une personne a examiné votre demande dans son ensemble. Écrivez-nous ou appelez-nous : "
        "nous vous dirons ce qui a compté.",
        "accept": "La proposition est valable jusqu'au {date}. Dites-nous avant ce jour si vous la voulez.",
        "change": "Ce qui pourrait changer cette réponse",
        "score": "Votre score",
        "score_name": "Score",
        "scale": "{score}, sur une échelle de {low} à {high} ; plus haut est mieux",
        "made_on": "Calculé le",
        "factors": "Ce qui a compté le plus",
        "rights": "Vos droits",
        "rights_text": "Vous pouvez demander qu'une personne examine de nouveau votre demande et lui dire votre avis. Vous pouvez demander "
        "quelles données sur vous nous avons utilisées et faire corriger celles qui sont fausses. C'est gratuit. Écrivez à "
        "{email}{phone} en indiquant le numéro {number}.",
        "phone": " ou appelez le {phone}",
        "complain": "Si vous n'êtes pas d'accord avec notre réponse, vous pouvez vous plaindre auprès de :",
        "letter": "Lettre",
        "page": "page",
    },
}
