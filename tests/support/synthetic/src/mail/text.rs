//! The text of messages, after the templates of the rules, with an English short form for the engines that add one.

use super::MessageKind;
use super::daticert::Daticert;

/// Title and lines of the Italian text. `detail` is what went wrong, where something did.
pub(crate) fn italian(kind: MessageKind, facts: &Daticert) -> (String, Vec<String>) {
    use MessageKind as K;
    let (giorno, ora, zona) = facts.civil_time();
    let when = format!("Il giorno {giorno} alle ore {ora} ({zona})");
    let subject = facts.subject.as_deref().unwrap_or_default();
    let sender = &facts.sender;
    let consegna = facts.delivered_to.as_deref().unwrap_or_default();
    let detail = facts.error_detail.as_deref().unwrap_or_default();
    let all = || facts.recipients.iter().map(|r| r.address.clone());
    let about = format!("\"{subject}\" proveniente da \"{sender}\"");
    let identified = format!("Identificativo messaggio: {}", facts.identificativo);
    let virus = [
        "è stato rilevato un problema di sicurezza".to_owned(),
        format!("[{detail}]."),
    ];
    let mut lines = Vec::new();
    let title = match kind {
        K::TransportEnvelope => {
            lines.push(format!("{when} il messaggio \"{subject}\" è stato"));
            lines.push(format!("inviato da \"{sender}\""));
            lines.push("indirizzato a:".to_owned());
            lines.extend(all());
            lines.push("Il messaggio originale è incluso in allegato.".to_owned());
            "Messaggio di posta certificata"
        }
        K::AnomalyEnvelope => {
            lines.push(format!("{when} è stato ricevuto"));
            lines.push(format!("il messaggio {about}"));
            lines.push("ed indirizzato a:".to_owned());
            lines.extend(all());
            lines.push("Tali dati non sono stati certificati per il seguente errore:".to_owned());
            lines.push(detail.to_owned());
            lines.push("Il messaggio originale è incluso in allegato.".to_owned());
            return ("Anomalia nel messaggio".to_owned(), lines);
        }
        K::Acceptance => {
            lines.extend([format!("{when} il messaggio"), about]);
            lines.push("ed indirizzato a:".to_owned());
            lines.extend(facts.recipients.iter().map(|r| {
                let kind = if r.is_certified {
                    "posta certificata"
                } else {
                    "posta ordinaria"
                };
                format!("{} (\"{kind}\")", r.address)
            }));
            lines.push("è stato accettato dal sistema ed inoltrato.".to_owned());
            "Ricevuta di accettazione"
        }
        K::NonAcceptance | K::NonAcceptanceVirus => {
            lines.extend([format!("{when} nel messaggio"), about]);
            lines.push("ed indirizzato a:".to_owned());
            lines.extend(all());
            if kind == K::NonAcceptance {
                lines.push(
                    "è stato rilevato un problema che ne impedisce l'accettazione".to_owned(),
                );
                lines.push(format!("a causa di {detail}."));
            } else {
                lines.extend(virus);
            }
            lines.push("Il messaggio non è stato accettato.".to_owned());
            if kind == K::NonAcceptance {
                "Errore nell'accettazione del messaggio"
            } else {
                "Errore nell'accettazione del messaggio per presenza di virus"
            }
        }
        K::Takeover => {
            lines.extend([format!("{when} il messaggio"), about]);
            lines.push("ed indirizzato a:".to_owned());
            lines.extend(facts.taken_over.iter().cloned());
            lines.push("è stato accettato dal sistema.".to_owned());
            "Ricevuta di presa in carico"
        }
        K::DeliveryComplete | K::DeliveryBrief | K::DeliveryShort => {
            lines.extend([format!("{when} il messaggio"), about]);
            lines.push(format!("ed indirizzato a \"{consegna}\""));
            lines.push("è stato consegnato nella casella di destinazione.".to_owned());
            match kind {
                K::DeliveryBrief => "Ricevuta breve di avvenuta consegna",
                K::DeliveryShort => "Ricevuta sintetica di avvenuta consegna",
                _ => "Ricevuta di avvenuta consegna",
            }
        }
        K::NonDelivery => {
            lines.extend([format!("{when} nel messaggio"), about]);
            lines.push(format!("e destinato all'utente \"{consegna}\""));
            lines.push(format!("è stato rilevato un errore {detail}."));
            lines.push("Il messaggio è stato rifiutato dal sistema.".to_owned());
            "Avviso di mancata consegna"
        }
        K::VirusDetected => {
            lines.extend([format!("{when} nel messaggio"), about]);
            lines.push(format!("e destinato all'utente \"{consegna}\""));
            lines.extend(virus);
            "Avviso di rilevazione virus"
        }
        K::NonDeliveryVirus => {
            lines.push(format!("{when} nel messaggio"));
            lines.push(format!("\"{subject}\" destinato all'utente \"{consegna}\""));
            lines.extend(virus);
            lines.push("Il messaggio non è stato consegnato.".to_owned());
            "Avviso di mancata consegna per virus"
        }
        K::Warning12h | K::Warning24h => {
            lines.extend([format!("{when} il messaggio"), about]);
            lines.push(format!("e destinato all'utente \"{consegna}\""));
            let rest: &[&str] = if kind == K::Warning12h {
                &[
                    "non è stato consegnato nelle prime dodici ore dal suo invio. Non",
                    "escludendo che questo possa avvenire in seguito, si ritiene utile",
                    "considerare che l'invio potrebbe non andare a buon fine. Il sistema",
                    "provvederà comunque ad inviare un ulteriore avviso di mancata consegna",
                    "se nelle prossime dodici ore non vi sarà la conferma della ricezione",
                    "da parte del destinatario.",
                ]
            } else {
                &[
                    "non è stato consegnato nelle ventiquattro ore successive al suo invio.",
                    "Si ritiene che la spedizione debba considerarsi non andata a buon fine.",
                ]
            };
            lines.extend(rest.iter().map(|&line| line.to_owned()));
            "Avviso di mancata consegna"
        }
    };
    lines.push(identified);
    (title.to_owned(), lines)
}

/// Title and lines of the English repetition.
pub(crate) fn english(kind: MessageKind, facts: &Daticert) -> (String, Vec<String>) {
    use MessageKind as K;
    let (giorno, ora, zona) = facts.civil_time();
    let (title, outcome) = match kind {
        K::TransportEnvelope => ("Certified email message", "was sent; it is attached"),
        K::AnomalyEnvelope => ("Message anomaly", "was received and could not be certified"),
        K::Acceptance => (
            "Acceptance receipt",
            "was accepted by the system and forwarded",
        ),
        K::NonAcceptance => (
            "Acceptance error",
            "was not accepted for a formal exception",
        ),
        K::NonAcceptanceVirus => ("Acceptance error", "was not accepted because of a virus"),
        K::Takeover => ("Takeover receipt", "was accepted by the system"),
        K::DeliveryComplete => ("Delivery receipt", "was placed in the destination mailbox"),
        K::DeliveryBrief => (
            "Brief delivery receipt",
            "was placed in the destination mailbox",
        ),
        K::DeliveryShort => (
            "Short delivery receipt",
            "was placed in the destination mailbox",
        ),
        K::NonDelivery => ("Non-delivery notice", "was refused by the system"),
        K::VirusDetected => ("Virus detection notice", "was found to hold a virus"),
        K::NonDeliveryVirus => (
            "Non-delivery notice",
            "was not delivered because of a virus",
        ),
        K::Warning12h => (
            "Non-delivery notice",
            "was not delivered within twelve hours",
        ),
        K::Warning24h => (
            "Non-delivery notice",
            "was not delivered within twenty-four hours",
        ),
    };
    let mut lines = vec![
        format!("On {giorno} at {ora} ({zona}) the message"),
        format!(
            "\"{}\" originating from \"{}\"",
            facts.subject.as_deref().unwrap_or_default(),
            facts.sender
        ),
    ];
    if let Some(consegna) = &facts.delivered_to {
        lines.push(format!("addressed to \"{consegna}\""));
    }
    lines.push(format!("{outcome}."));
    if kind != K::AnomalyEnvelope {
        lines.push(format!("Message ID: {}", facts.identificativo));
    }
    (title.to_owned(), lines)
}
